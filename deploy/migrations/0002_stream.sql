-- The worker's own: how far each partition is, with which state, what was refused, and which totals are stale.

-- The next offset of a partition, moved in the same transaction as the results of what lies below it. `epoch` counts
-- the assignments: who holds an older one is a leftover of a rebalance and is refused.
create table stream_fence (
    consumer_group text not null,
    topic          text not null,
    topic_id       uuid not null,                    -- a recreated topic starts anew
    partition      int4 not null,
    next_offset    int8 not null default 0 check (next_offset >= 0),
    epoch          int8 not null default 0,
    owner          text not null,
    assigned_at    timestamptz not null default now(),
    moved_at       timestamptz,
    primary key (consumer_group, topic_id, partition)
) with (fillfactor = 20, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

create table stream_snapshot (
    consumer_group text not null,
    topic_id       uuid not null,
    partition      int4 not null,
    next_offset    int8 not null,                    -- the state is that of before this offset
    ledger_version int4 not null references ledger_version,
    state          bytea not null,
    taken_at       timestamptz not null default now(),
    primary key (consumer_group, topic_id, partition)
);
alter table stream_snapshot alter column state set storage external;

create table rejected (
    id           int8 generated always as identity primary key,
    topic        text not null,
    topic_id     uuid not null,
    partition    int4 not null,
    kafka_offset int8 not null,
    position     int4 not null,                      -- of the reading inside its record; -1 the whole record
    reason       text not null,
    required     text not null,
    got          text not null,
    unit_code    text,                               -- as the sender said it; null where it said none
    payload      bytea not null,
    readings     int4 not null check (readings >= 1),
    stored_at    timestamptz not null default clock_timestamp(),
    relayed      boolean not null default false,     -- it is on the topic of rejected readings
    replayed_at  timestamptz,
    unique (topic_id, partition, kafka_offset, position)
);
create index on rejected (id) where not relayed;
create index on rejected (stored_at);
create index on rejected (unit_code, stored_at);

-- Hours whose totals are stale. Append only: a mark becomes visible with the hours it speaks of, and who claims marks
-- deletes just those it saw; a unique key would let a mark be swallowed by one that is being claimed.
create table dirty_hour (
    id         int8 generated always as identity primary key,
    unit_id    int4 not null references unit,
    first_hour timestamptz not null,
    last_hour  timestamptz not null check (last_hour >= first_hour),   -- inclusive
    marked_at  timestamptz not null default clock_timestamp()
);
create index on dirty_hour (unit_id);
