// node carbone-xlsx.js ROWS OUTPUT TEMPLATE: carbone, from the rows as JSON to the workbook.
import fs from 'node:fs'
import carbone from 'carbone'

const [rows, output, template] = process.argv.slice(2)
carbone.render(template, { rows: JSON.parse(fs.readFileSync(rows, 'utf8')) }, (error, result) => {
  if (error) throw error
  fs.writeFileSync(output, result)
  process.exit(0)
})
