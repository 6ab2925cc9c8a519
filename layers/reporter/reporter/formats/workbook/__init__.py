"""Workbooks (XLSX): sheets streamed as XML into the zip file that a workbook is."""
