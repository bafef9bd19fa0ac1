-- Messages of alerts that failed, or wait for more than a quarter of an hour.
select coalesce(sum(messages) filter (where state = 'failed' or oldest_at < now() - interval '15 minutes' and state in ('waiting', 'sending')), 0) as value
from outbox_state
