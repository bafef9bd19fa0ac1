-- Where each partition stands.
select topic, partition, owner, next_offset, moved_at, extract(epoch from now() - moved_at) as moved_ago, snapshot_at,
       snapshot_bytes, ledger_version
from pipeline_state order by topic, partition
