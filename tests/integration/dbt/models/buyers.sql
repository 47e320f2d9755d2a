select b.buyer_id, b.name, p.sales, p.euros
from {{ ref('stg_buyers') }} as b
left join {{ ref('per_buyer') }} as p using (buyer_id)
