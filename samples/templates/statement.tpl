<!DOCTYPE html>
<html lang="pt-BR">
<head>
  <meta charset="utf-8">
  <title>Extrato</title>
  <style>
    body { font-family: sans-serif; margin: 2em; } table { border-collapse: collapse; width: 100%; }
    th, td { border-bottom: 1px solid #ccc; padding: .3em .6em; text-align: left; } .n { text-align: right; }
  </style>
</head>
<body>
  <h1>{{ midaz_onboarding.organization.0.legal_name }}</h1>
{%- for account in midaz_onboarding.account %}
  <h2>{{ account.name }} ({{ account.alias }})</h2>
  <table>
    <thead><tr><th>Data</th><th>Histórico</th><th class="n">Valor</th><th class="n">Acumulado</th></tr></thead>
    <tbody>
{%- set running = 0 %}
{%- for op in filter(midaz_transaction.operation, "account_id", account.id)|add_signed:"amount" %}
{%- set running = running + op.signed %}
      <tr><td>{{ op.created_at|date:"02/01/2006" }}</td><td>{{ op.description|default:"-" }}</td><td class="n">{{ op.signed|number:"1.234,56" }}</td><td class="n">{{ running|number:"1.234,56" }}</td></tr>
{%- endfor %}
    </tbody>
  </table>
{%- endfor %}
  <p>{% date_time "02/01/2006 15:04" %}</p>
</body>
</html>
