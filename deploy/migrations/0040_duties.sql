-- What people were reminded of beside cases: corrections and re-checks of reviews, the self-check of a year. Each stage is
-- told once; the worker writes the messages, so it may see how reviews stand, and nothing more of them.
create table duty_reminder (
    unit_id     int4 not null references unit,
    duty        text not null check (duty in ('correction', 'recheck', 'self_check')),
    ref         int8 not null,                       -- the review, or the year of a self-check
    stage       text not null,
    reminded_at timestamptz not null default clock_timestamp(),
    primary key (unit_id, duty, ref)
);
comment on table duty_reminder is 'Which stage of a duty of a unit was told last: corrections, re-checks, yearly self-checks';

call board.rows();
update board.service_right set rights = 'select' where service = 'meterwarden_worker' and relation = 'review';
insert into board.service_right (service, relation, rights) values ('meterwarden_api', 'duty_reminder', '');
call board.services();
