// node carbone.js FORMAT ROWS OUTPUT: a whole process of carbone, from the rows as JSON to the document.
import fs from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import carbone from 'carbone'

const [format, rows, output] = process.argv.slice(2)
const names = ['id', 'account_alias', 'direction', 'amount', 'balance_after', 'description', 'created_at']
const marked = (i, write) => names.map((name) => write(name, `{d.rows[${i}].${name}}`))
const element = (name, value) => `<${name}>${value}</${name}>`
const row = {
  csv: (i) => marked(i, (_name, value) => value).join(',') + '\n',
  xml: (i) => element('operation', marked(i, element).join('')),
  html: (i) => element('tr', marked(i, (_name, value) => element('td', value)).join('')),
  json: (i) => '{' + marked(i, (name, value) => `"${name}": "${value}"`).join(', ') + '},\n'
}[format]
const template = {
  csv: names.join(',') + '\n' + row('i') + row('i+1'),
  xml: '<?xml version="1.0" encoding="UTF-8"?><operations>' + row('i') + row('i+1') + '</operations>',
  html: '<html><body><table>' + row('i') + row('i+1') + '</table></body></html>',
  json: '[\n' + row('i') + row('i+1') + ']\n'
}[format]
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'carbone-'))
const file = path.join(folder, `template.${format}`)
fs.writeFileSync(file, template)
const data = { rows: JSON.parse(fs.readFileSync(rows, 'utf8')) }
carbone.render(file, data, (error, result) => {
  fs.rmSync(folder, { recursive: true })
  if (error) throw error
  fs.writeFileSync(output, result)
  process.exit(0)
})
