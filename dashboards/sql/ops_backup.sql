-- When the last backup was made, how long ago that is, and how large it is; nothing where there was none.
select b.made_at as last_backup, b.age_s as backup_age, b.bytes as backup_size from (select 1) o left join last_backup b on true
