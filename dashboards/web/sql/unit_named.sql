-- A unit by its code.
select unit_id, unit_code, unit_name from unit_list where unit_code = %(unit)s
