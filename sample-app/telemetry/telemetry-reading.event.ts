import { IsInt, IsNumber, IsString, Min } from 'class-validator';
import { DomainEvent } from 'nestjs-kafka-events';

/** A sensor in the warehouse has read a temperature. */
@DomainEvent({ type: 'telemetry.reading', version: 1, topic: 'telemetry', key: 'deviceId' })
export class TelemetryReading {
  @IsString() deviceId!: string;
  /** Counts the readings of its device. */
  @IsInt() @Min(1) number!: number;
  @IsNumber() celsius!: number;
}
