// The log: JSON lines by pino. main.ts makes the one root logger; each room gets a child of it.
// Messages are constant sentences, facts are fields.
import { type DestinationStream, type Logger, pino } from 'pino'

export type { Logger }

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

export interface LogOptions {
  readonly level: LogLevel
  readonly nodeName: string
  /** Where lines go; standard output by default, synchronously, so that a crash loses none. */
  readonly destination?: DestinationStream
}

/** The root logger. Bigints (counters, times) are written as numbers in quotes. */
export function createLogger({ level, nodeName, destination }: LogOptions): Logger {
  return pino(
    {
      level,
      base: { node: nodeName, pid: process.pid },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
      serializers: { err: pino.stdSerializers.err },
    },
    destination ?? pino.destination({ fd: 1, sync: true }),
  )
}

/** The logger of a room: every line carries its name. */
export function roomLogger(log: Logger, room: string): Logger {
  return log.child({ room })
}
