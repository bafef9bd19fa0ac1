-- What an alert rests on, as people may see it: an enterprise its own.

create view alert_source_list as
select alert_id, unit_id, source, source_id, standing from alert_source;

grant select on alert_source to meterwarden_lens;
insert into board.view (view, shared) values ('alert_source_list', true);
call board.rows();
call board.views();
call board.services();
