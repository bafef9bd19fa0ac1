from deploy.warm import warm


def test_one_reading_goes_through_the_core() -> None:
    assert warm() == 1
