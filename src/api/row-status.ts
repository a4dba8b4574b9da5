// A row's status as two flat columns, for tables and JSON alike.
import type { Status } from '../state/table.ts'
import type { RowStatus } from './drift.ts'

export function statusColumns(status: Status): RowStatus {
  return status.state === 'error'
    ? { status: 'error', error: status.error }
    : { status: status.state }
}
