-- When the last backup was made, for the board of operations.
create view last_backup as
select made_at, bytes, kept_s, extract(epoch from now() - made_at)::float8 as age_s
from backup_made order by made_at desc limit 1;

insert into board.view (view, shared) values ('last_backup', false);
call board.views();
