export * as mc146818 from './mc146818.ts';
export * as i8259 from './i8259.ts';
export { rtc, type Rtc, type RtcAlarm, type RtcDriver, type RtcInterrupt, type RtcTime } from './rtc.ts';
