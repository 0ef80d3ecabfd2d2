import type { DriverLog } from '../kafka/driver.js';
import type { Log } from './signal-log.js';

/** Writes a driver's lines to the application's log; details follow the message as JSON. */
export function driverLog(log: Log): DriverLog {
  return (level, message, detail) => {
    const line = detail === undefined ? message : `${message} ${JSON.stringify(detail)}`;
    log[level === 'info' ? 'log' : level](line);
  };
}
