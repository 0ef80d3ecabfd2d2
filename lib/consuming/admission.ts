import type { OutageBreaker } from '../failure/outage-breaker.js';
import type { HandlerCourse } from './handler-course.js';

/** Whether the handler may be called now. What is given up already does not run: it asks nobody. */
export function admissionOf({
  verdict,
  runtime,
}: HandlerCourse): ReturnType<OutageBreaker['admit']> {
  return verdict === null && runtime.breaker !== null ? runtime.breaker.admit() : 'go';
}

/** A probe that ended without an answer, as a duplicate or poison: another record may probe. */
export function endProbe(course: HandlerCourse): void {
  if (!course.probing) return;
  course.probing = false;
  course.runtime.breaker?.probeGivenUp();
}

/** How long its place in the handler's rate is away; taken once for each run. */
export function placeOf(course: HandlerCourse): number {
  const { rate } = course.runtime;
  if (rate === null || course.hasPlace) return 0;
  course.hasPlace = true;
  return rate.reserve();
}
