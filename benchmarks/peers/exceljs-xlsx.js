// node exceljs-xlsx.js ROWS OUTPUT: the streaming writer of exceljs, from the rows as JSON to the workbook.
import fs from 'node:fs'
import exceljs from 'exceljs'

const [rows, output] = process.argv.slice(2)
const names = ['id', 'account_alias', 'direction', 'amount', 'balance_after', 'description', 'created_at']
const book = new exceljs.stream.xlsx.WorkbookWriter({ filename: output, useStyles: true, useSharedStrings: false })
const sheet = book.addWorksheet('Sheet1')
sheet.columns = names.map((name) => ({ header: name, key: name }))
sheet.getColumn('amount').numFmt = '#,##0.00'
sheet.getColumn('balance_after').numFmt = '#,##0.00'
sheet.getColumn('created_at').numFmt = 'yyyy-mm-dd hh:mm:ss'
for (const row of JSON.parse(fs.readFileSync(rows, 'utf8'))) {
  row.amount = Number(row.amount)
  row.balance_after = Number(row.balance_after)
  row.created_at = new Date(row.created_at)
  sheet.addRow(row).commit()
}
await book.commit()
