/** QTest's own line. */
const LINE =
  /^src\/drift\.ts:testDrift\(\):L\d+: hz: (\d+), duration_ms: (\d+), exp_duration: (\d+), drift ratio: (\d+\.\d{6})$/;

/**
 * What the RTC package's cases of `drift/` log.
 * @throws an error when the line is not just as QTest's was.
 */
export function parseDrift(line = ''): { hz: number; duration: number; expected: number; ratio: number } {
  const match = LINE.exec(line);
  if (match === null) throw new Error(`'${line}' is not as ${LINE.source}`);
  const [hz = 0, duration = 0, expected = 0, ratio = 0] = match.slice(1).map(Number);
  return { hz, duration, expected, ratio };
}
