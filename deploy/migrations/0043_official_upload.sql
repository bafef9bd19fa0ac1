-- How the uploads to official platforms went, one row a unit and platform: the page on operations shows it. What waits and
-- what was refused stands in the outbox of `meterwarden upload`, with each datum.
create table official_upload (
    unit_code text not null,
    platform  text not null,                         -- host of its address
    tried_at  timestamptz not null,                  -- last run
    done_at   timestamptz,                           -- last run that left nothing waiting or refused
    accepted  int8 not null default 0,               -- in the last run
    refused   int8 not null default 0,               -- data that the platform refuses
    waiting   int8 not null default 0,               -- data without an answer
    corrected int8 not null default 0,               -- accepted, and the value has changed since
    answer    text not null default '',              -- what the platform answered, or why there is no answer
    primary key (unit_code, platform)
);
comment on table official_upload is 'How the last upload of a unit to an official platform went';

insert into board.service_right (service, relation, rights) values
    ('meterwarden_worker', 'official_upload', ''),
    ('meterwarden_api', 'official_upload', 'select')
on conflict (service, relation) do update set rights = excluded.rights;
call board.services();
