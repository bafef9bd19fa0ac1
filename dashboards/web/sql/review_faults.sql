-- What did not conform in a review that is concluded.
select item, remark from review_fault_list where review_id = %(review)s order by item
