-- One case.
select * from case_list where id = %(case)s
