-- Messages of alerts by channel and state.
select channel, state, messages, oldest_at, case state when 'waiting' then next_at end as waiting_until,
       attempts, last_sent_at, last_error from outbox_state order by channel, state
