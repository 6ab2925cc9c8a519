// node jsreport.js FORMAT ROWS OUTPUT: a whole process of jsreport, from the rows as JSON to the document.
import fs from 'node:fs'
import Core from '@jsreport/jsreport-core'
import handlebars from '@jsreport/jsreport-handlebars'

const [format, rows, output] = process.argv.slice(2)
const names = ['id', 'account_alias', 'direction', 'amount', 'balance_after', 'description', 'created_at']
const element = (name, value) => `<${name}>${value}</${name}>`
const escaped = { csv: 'quoted', json: 'string' }[format]
const printed = (name) => (escaped ? `{{{${escaped} ${name}}}}` : `{{${name}}}`)
const row = {
  csv: names.map(printed).join(',') + '\n',
  xml: element('operation', names.map((name) => element(name, printed(name))).join('')),
  html: element('tr', names.map((name) => element('td', printed(name))).join('')),
  json: '{' + names.map((name) => `"${name}": ${printed(name)}`).join(', ') + ' }{{#unless @last}},{{/unless}}\n'
}[format]
const loop = `{{#each rows}}${row}{{/each}}`
const content = {
  csv: names.join(',') + '\n' + loop,
  xml: `<?xml version="1.0" encoding="UTF-8"?><operations>${loop}</operations>`,
  html: `<html><body><table>${loop}</table></body></html>`,
  json: `[\n${loop}]\n`
}[format]
const helpers = `
function quoted (value) {
  const text = value == null ? '' : String(value)
  return /[",\\n\\r]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text
}
function string (value) { return JSON.stringify(value === undefined ? null : value) }`
const jsreport = Core({
  rootDirectory: import.meta.dirname,
  loadConfig: false,
  useExtensionsLocationCache: false,
  logger: { silent: true },
  reportTimeout: 600000,
  sandbox: { cache: { enabled: true } },
  workers: { numberOfWorkers: 1, resourceLimits: { maxOldGenerationSizeMb: 8192 } },
  store: { provider: 'memory' }
})
jsreport.use(handlebars())
await jsreport.init()
const data = { rows: JSON.parse(fs.readFileSync(rows, 'utf8')) }
const made = await jsreport.render({ template: { content, helpers, engine: 'handlebars', recipe: 'html' }, data })
fs.writeFileSync(output, made.content)
process.exit(0)
