-- What the API needs of what came with 0019: which columns enterprises are shown, and the log of logins and refusals,
-- which it writes and trims by the function alone.

grant select on board.view to meterwarden_api;
grant execute on function access_log_trim(int4) to meterwarden_api;
insert into board.service_right (service, relation, rights) values ('meterwarden_api', 'access_log', 'select, insert');
call board.services();
