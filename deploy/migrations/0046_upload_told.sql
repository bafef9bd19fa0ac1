-- Uploads to official platforms that are late or refused reach people as a message, as gateways do: what they were told.
alter table official_upload
    add column first_at     timestamptz not null default now(),  -- first run: until then nothing was owed
    add column stage        text not null default '',            -- what people were told last, '' for nothing or that it is over
    add column staged_at    timestamptz,                         -- since when
    add column told_refused int8 not null default 0;             -- refused data that people were told of
update official_upload set first_at = coalesce(done_at, tried_at);

insert into board.service_right (service, relation, rights) values
    ('meterwarden_worker', 'official_upload', 'select, update')
on conflict (service, relation) do update set rights = excluded.rights;
call board.services();
