{% with t=midaz_transaction.transaction.0 -%}
RECIBO DE TRANSFERÊNCIA
{{ midaz_onboarding.organization.0.legal_name }}
----------------------------------------
{{ "Transação"|ljust:12 }}{{ t.id }}
{{ "Data"|ljust:12 }}{{ t.created_at|date:"dd/MM/YYYY HH:mm:ss" }}
{{ "Valor"|ljust:12 }}{{ t.asset_code }} {{ t.amount|number:"1.234,56" }}
{{ "Histórico"|ljust:12 }}{{ t.description|default:"-" }}
----------------------------------------
{% for op in filter(midaz_transaction.operation, "transaction_id", t.id) -%}
{{ op.direction|upper|ljust:12 }}{{ op.account_alias|ljust:16 }}{{ op.amount|floatformat:2|rjust:12 }}
{% endfor %}{% endwith -%}
