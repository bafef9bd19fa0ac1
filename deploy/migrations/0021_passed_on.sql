-- Readings that lie in the partition their unit had before the topic grew: sent to the one it has now, and then removed.
create table stream_passed_on (
    id        int8 generated always as identity primary key,
    topic     text not null,
    unit_code text not null,
    payload   bytea not null,                        -- a block (ingest.wire.block_format)
    readings  int4 not null,
    stored_at timestamptz not null default clock_timestamp()
);
insert into board.service_right (service, relation, rights) values ('meterwarden_api', 'stream_passed_on', '');
