-- What waits inside the database: hours whose totals are stale, refused readings not yet on their topic, messages to send.
select b.stale_marks, coalesce(extract(epoch from now() - b.stale_since), 0) as stale_age, b.rejected_unrelayed,
       (select coalesce(sum(messages), 0) from outbox_state where state in ('waiting', 'sending')) as messages_waiting,
       (select coalesce(sum(messages), 0) from outbox_state where state = 'failed') as messages_failed
from pipeline_backlog b
