-- One alert.
select * from alert_list where id = %(alert)s
