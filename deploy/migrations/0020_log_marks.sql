-- What tells whether Kafka's log is still the one that was stored: marks of records, the layout of a topic, and what was
-- found and done about it. See deploy/decisions/0021-kafka-is-not-what-it-was.md.

-- Marks of stored records (streams.lanes.marks.MARK: offset, time, checksum), the newest last; thinned towards the past.
-- Offsets below `reread_until` are read again because the log was shorter or another: of records not newer than
-- `reread_before`, readings that are stored already are passed over.
alter table stream_fence
    add column marks bytea not null default '',
    add column reread_until int8 not null default 0,
    add column reread_before timestamptz;

-- How many partitions the units of a topic are spread over. Where Kafka has another number, workers stand still until
-- `meterwarden partitions` has moved the units; `former` is the number before.
create table stream_layout (
    consumer_group text not null,
    topic_id       uuid not null,
    topic          text not null,
    partitions     int4 not null check (partitions > 0),
    former         int4,
    laid_at        timestamptz not null default clock_timestamp(),
    primary key (consumer_group, topic_id)
);
insert into stream_layout (consumer_group, topic_id, topic, partitions, laid_at)
select consumer_group, topic_id, min(topic), max(partition) + 1, max(assigned_at) from stream_fence group by 1, 2;

-- What was found of Kafka that is not as it was, once each, and what was done.
create table stream_incident (
    id             int8 generated always as identity primary key,
    consumer_group text not null,
    topic          text not null,
    topic_id       uuid not null,
    partition      int4 not null,
    kind           text not null,                    -- streams.rows.layout.IncidentKind
    from_offset    int8 not null,                    -- what it is about
    to_offset      int8 not null,
    detail         text not null,
    repeated       int8 not null default 0,          -- readings that were read again and are stored already
    found_at       timestamptz not null default clock_timestamp()
);
create index on stream_incident (found_at);

-- How each partition does, told every few seconds by who has it.
create table stream_partition (
    consumer_group text not null,
    topic          text not null,
    partition      int4 not null,
    topic_id       uuid not null,
    worker         text not null,
    doing          text not null,                    -- streams.rows.layout.Doing
    detail         text not null default '',
    next_offset    int8 not null,
    end_offset     int8,                             -- of what can be read; null where Kafka does not say
    moved_at       timestamptz,                      -- when the fence moved last
    told_at        timestamptz not null default clock_timestamp(),
    primary key (consumer_group, topic, partition)
);

-- The same offset may hold another message once the log was cut.
do $$
declare
    old text;
begin
    select conname into old from pg_constraint where conrelid = 'rejected'::regclass and contype = 'u';
    if old is not null then
        execute format('alter table rejected drop constraint %I', old);
    end if;
end
$$;
create unique index rejected_once on rejected (topic_id, partition, kafka_offset, position, md5(payload));

-- The API tells of these, and writes none of them.
insert into board.service_right (service, relation, rights)
select 'meterwarden_api', t, 'select' from unnest(array['stream_layout', 'stream_incident', 'stream_partition']) t;
