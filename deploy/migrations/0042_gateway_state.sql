-- How gateways are: when the last readings of each came, and what it told of its spool. Written by who admits what came by
-- Kafka, and by gateways that run beside this database; an alert says that one has not delivered for hours.
create table gateway_state (
    name             text primary key,               -- as in gateway, or the id of a gateway of this machine
    delivered_at     timestamptz,                    -- when Kafka, or for HTTP the disk, got its last readings
    told_at          timestamptz,                    -- as of when what follows was so
    waiting_readings int8,                           -- in its spool, not yet acknowledged by Kafka
    waiting_bytes    int8,
    max_bytes        int8,                           -- most that its spool may have
    oldest_at        timestamptz,                    -- when the oldest of those that wait came
    dropped_readings int8,                           -- given up, since its spool was made
    fault            text not null default '',       -- what else is wrong, in its words
    stage            text not null default '',       -- what people were told last, '' for nothing or that it is over
    staged_at        timestamptz,                    -- since when
    told_dropped     int8                            -- given up, and people were told of it
);
comment on table gateway_state is 'How gateways are: last delivery, what waits in their spools, what people were told of it';

insert into board.service_right (service, relation, rights) values
    ('meterwarden_worker', 'gateway_state', 'select, insert, update'),
    ('meterwarden_api', 'gateway_state', 'select')
on conflict (service, relation) do update set rights = excluded.rights;
call board.services();
