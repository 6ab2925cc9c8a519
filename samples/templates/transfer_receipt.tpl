<!DOCTYPE html>
<html lang="pt-BR">
<head>
  <meta charset="utf-8">
{%- with t=midaz_transaction.transaction.0 %}
  <title>Comprovante de transferência</title>
  <meta name="author" content="{{ midaz_onboarding.organization.0.legal_name }}">
  <style>
    @page { size: A5; margin: 14mm; @bottom-center { content: "página " counter(page) " de " counter(pages); font: 7.5pt Arial; color: #64748b } }
    body { margin: 0; font: 10pt/1.45 Arial, sans-serif; color: #0f172a; }
    h1 { font-size: 15pt; margin: 3mm 0 1mm; color: #0f4c81; }
    .amount { font-size: 22pt; font-weight: bold; margin: 2mm 0 5mm; }
    table { width: 100%; border-collapse: collapse; }
    td { padding: 1.6mm 0; border-bottom: .4pt solid #d5dde6; vertical-align: top; }
    td:first-child { color: #64748b; width: 32mm; }
    .n { text-align: right; white-space: nowrap; }
    .id { font-family: "Courier New", monospace; font-size: 8.5pt; }
    h2 { font-size: 10pt; margin: 6mm 0 1mm; color: #0f4c81; }
    .note { margin-top: 6mm; font-size: 8pt; color: #64748b; }
  </style>
</head>
<body>
  <svg width="34" height="34" viewBox="0 0 34 34"><circle cx="17" cy="17" r="16" fill="#0f4c81"/><path d="M9 18l6 6 11-13" fill="none" stroke="#fff" stroke-width="3.5"/></svg>
  <h1>Comprovante de transferência</h1>
  <div class="amount">{{ t.asset_code }} {{ t.amount|number:"1.234,56" }}</div>
  <table>
    <tr><td>Emissor</td><td>{{ midaz_onboarding.organization.0.legal_name }}</td></tr>
    <tr><td>Data</td><td>{{ t.created_at|date:"02/01/2006 15:04:05" }} UTC</td></tr>
    <tr><td>Histórico</td><td>{{ t.description|default:"–" }}</td></tr>
    <tr><td>Transação</td><td class="id">{{ t.id }}</td></tr>
  </table>
  <h2>Lançamentos</h2>
  <table>
{%- for op in filter(midaz_transaction.operation, "transaction_id", t.id) %}
    <tr><td>{% if op.direction == "debit" %}Débito{% else %}Crédito{% endif %}</td><td>{{ op.account_alias }}</td><td class="n">{{ op.amount|number:"1.234,56" }}</td></tr>
{%- endfor %}
  </table>
  <p class="note">✓ Documento gerado em {% date_time "02/01/2006 15:04" %} UTC.</p>
{%- endwith %}
</body>
</html>
