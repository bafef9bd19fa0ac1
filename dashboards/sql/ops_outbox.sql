-- Messages of alerts by channel and state.
select channel, state, messages, oldest_at, attempts, last_sent_at, last_error from outbox_state order by channel, state
