<!DOCTYPE html>
<html lang="pt-BR">
<head>
  <meta charset="utf-8">
  <title>Extrato de contas</title>
  <meta name="author" content="{{ midaz_onboarding.organization.0.legal_name }}">
  <meta name="description" content="Movimentos por conta">
  <style>
    @page {
      size: A4; margin: 26mm 16mm 20mm;
      @top-left { content: element(head); vertical-align: bottom; padding-bottom: 4mm }
      @top-right { content: "Extrato de contas"; vertical-align: bottom; padding-bottom: 4mm; font: 8.5pt Arial; color: #64748b }
      @bottom-left { content: "Emitido em {% date_time "02/01/2006 15:04" %} UTC"; font: 8pt Arial; color: #64748b }
      @bottom-right { content: "página " counter(page) " de " counter(pages); font: 8pt Arial; color: #64748b }
    }
    body { margin: 0; font: 9pt/1.35 Arial, sans-serif; color: #0f172a; }
    .head { position: running(head); font: bold 10pt Arial; color: #0f4c81; }
    h1 { font-size: 20pt; margin: 0 0 2mm; color: #0f4c81; }
    h2 { font-size: 12pt; margin: 8mm 0 1mm; color: #0f4c81; break-after: avoid; }
    .meta { color: #64748b; margin: 0 0 2mm; }
    table { width: 100%; border-collapse: collapse; }
    th { background: #eef3f8; text-align: left; font-size: 8pt; color: #334155; border-bottom: 1pt solid #0f4c81; }
    th, td { padding: 1.1mm 2mm; }
    td { border-bottom: .4pt solid #d5dde6; vertical-align: top; }
    .n { text-align: right; white-space: nowrap; }
    .debit { color: #b42318; }
    tr.total td { border-top: 1pt solid #0f4c81; border-bottom: none; font-weight: bold; }
    tr { break-inside: avoid; }
  </style>
</head>
<body>
  <div class="head">{{ midaz_onboarding.organization.0.legal_name }}</div>
  <h1>Extrato de contas</h1>
  <p class="meta">{{ midaz_onboarding.account|length }} contas · {{ midaz_transaction.operation|length }} movimentos</p>
{%- for account in midaz_onboarding.account %}
{%- with operations=filter(midaz_transaction.operation, "account_id", account.id)|add_signed:"amount" %}
  <h2>{{ account.name }}</h2>
  <p class="meta">{{ account.alias }} · {% if account.type == "savings" %}Poupança{% else %}Depósito{% endif %} · {{ operations|length }} movimentos</p>
  <table>
    <thead><tr><th style="width: 20mm">Data</th><th>Histórico</th><th class="n" style="width: 30mm">Valor</th><th class="n" style="width: 32mm">Acumulado</th></tr></thead>
    <tbody>
{%- set running = 0 %}
{%- for op in operations %}
{%- set running = running + op.signed %}
      <tr><td>{{ op.created_at|date:"02/01/2006" }}</td><td>{{ op.description|default:"–" }}</td><td class="n{% if op.signed < 0 %} debit{% endif %}">{{ op.signed|number:"1.234,56" }}</td><td class="n">{{ running|number:"1.234,56" }}</td></tr>
{%- endfor %}
      <tr class="total"><td></td><td>Saldo dos movimentos</td><td></td><td class="n">{{ operations|sum:"signed"|number:"1.234,56" }}</td></tr>
    </tbody>
  </table>
{%- endwith %}
{%- endfor %}
</body>
</html>
