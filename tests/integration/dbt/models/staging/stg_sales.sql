select id as sale_id, buyer as buyer_id, day, cents / 100.0 as euros
from {{ ref('raw_sales') }}
