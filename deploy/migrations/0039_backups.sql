-- Backups that `meterwarden backup` made of this database: the pages say when the last one was.
create table backup_made (
    id      int8 generated always as identity primary key,
    made_at timestamptz not null,                    -- as of when the copy is
    bytes   int8 not null,
    kept_s  float8                                   -- how long Kafka keeps readings; a backup older than that has a gap
);
comment on table backup_made is 'Backups that were made of this database';
insert into board.service_right (service, relation, rights) values
    ('meterwarden_worker', 'backup_made', ''), ('meterwarden_api', 'backup_made', 'select');
call board.services();
