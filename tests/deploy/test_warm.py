from deploy.warm import warm


def test_a_reading_and_its_power_go_through_the_core() -> None:
    assert warm() == 2
