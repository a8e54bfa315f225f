/** Structured logs: JSON lines on standard error by pino, because standard output belongs to the ready line. */
import { pino, type Logger as PinoLogger } from "pino";
import type { Logger } from "@headrace/ports";

export function createLogger(level: string, fields: Record<string, unknown>): Logger {
  return wrap(
    pino(
      {
        level,
        base: fields,
        timestamp: pino.stdTimeFunctions.isoTime,
        messageKey: "event",
        formatters: { level: (label) => ({ level: label }) },
      },
      // Synchronous: what is said last before an exit is what one wants to read.
      pino.destination({ dest: 2, sync: true }),
    ),
  );
}

function wrap(logger: PinoLogger): Logger {
  return {
    debug: (event, fields) => logger.debug(fields ?? {}, event),
    info: (event, fields) => logger.info(fields ?? {}, event),
    warn: (event, fields) => logger.warn(fields ?? {}, event),
    error: (event, fields) => logger.error(fields ?? {}, event),
    child: (fields) => wrap(logger.child(fields)),
  };
}
