"""What inspectors found moves thresholds: the newest word on each detection counts."""

import asyncio

import numpy as np
import psycopg
import pytest

from analytics.domain.quality import DetectionKind
from analytics.health.sensitivity import SiteVerdict, StandingVerdict, factor_of
from streams.rows.layout import TopicPartition
from tests.streams.store.conftest import opened
from tests.streams.store.test_detections import detection

SOUND = StandingVerdict(kind=DetectionKind.STUCK, verdict=SiteVerdict.SOUND)
FAULTY = StandingVerdict(kind=DetectionKind.STUCK, verdict=SiteVerdict.FAULTY)
WHOLE = StandingVerdict(kind=None, verdict=SiteVerdict.LOAD_CHANGED)
PATH = StandingVerdict(kind=DetectionKind.CLOCK, verdict=SiteVerdict.DATA_PATH)


def test_false_alarms_raise_and_true_ones_lower_within_bounds() -> None:
    assert factor_of(DetectionKind.STUCK, []) == 1.0
    assert factor_of(DetectionKind.STUCK, [SOUND]) > 1.0 > factor_of(DetectionKind.STUCK, [FAULTY])
    assert factor_of(DetectionKind.STUCK, [SOUND] * 20) == 4.0
    assert factor_of(DetectionKind.STUCK, [FAULTY] * 20) == 0.5
    assert factor_of(DetectionKind.CLOCK, [SOUND, PATH]) == 1.0
    assert factor_of(DetectionKind.CLOCK, [WHOLE]) == factor_of(DetectionKind.STUCK, [WHOLE]) == 1.5


@pytest.mark.integration
def test_the_newest_verdict_on_a_detection_counts_and_fills_in_what_it_is_about(
    world: str, topic: TopicPartition
) -> None:
    async def scenario() -> tuple[int, dict[int, list[StandingVerdict]]]:
        async with opened(world) as store:
            assigned = await store.assign(topic, partitions=1)
            async with store.transaction(assigned, at=0) as tx:
                await tx.write_detections([detection(1, DetectionKind.STUCK), detection(3, DetectionKind.CLOCK)])
            with psycopg.connect(world, autocommit=True) as connection:
                for kind, verdict in (("stuck", "faulty"), ("clock", "data_path"), ("stuck", "sound")):
                    connection.execute(
                        "insert into meter_verdict (detection_id, verdict, found_by) "
                        "select id, %s, 'li' from detection where kind = %s",
                        (verdict, kind),
                    )
                connection.execute("insert into meter_verdict (point_id, verdict) values (2, 'load_changed')")
                units = connection.execute("select array_agg(id) from unit").fetchone()
            assert units is not None
            found = await store.verdicts(np.array(units[0], np.int32))
            return await store.newest_verdict(), {point: list(some) for point, some in found.items()}

    newest, found = asyncio.run(scenario())
    assert newest == 4
    assert found == {1: [SOUND], 2: [WHOLE], 3: [PATH]}
