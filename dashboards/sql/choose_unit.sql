-- Units to choose from, by code.
select concat(unit_name, ' · ', unit_code) as __text, unit_code as __value from unit_list order by unit_name, unit_code
