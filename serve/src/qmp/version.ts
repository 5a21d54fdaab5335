/** A version of QEMU: its protocols, options and messages differ a little from one to the next. */
export type QemuVersion = Readonly<Record<'major' | 'minor' | 'micro', number>>;

/** The one whose part the stand-in takes unless it is told another. */
export const DEFAULT_VERSION: QemuVersion = { major: 7, minor: 2, micro: 0 };
/** The one whose part it takes where `-audio` is given, as QEMU's own test programs do since 8.2. */
export const LATER_VERSION: QemuVersion = { major: 10, minor: 0, micro: 0 };
export const PROGRAM_VERSION = '0.1.0';
export const PACKAGE = `qtest device models ${PROGRAM_VERSION}`;

export function versionText({ major, minor, micro }: QemuVersion): string {
  return `${major}.${minor}.${micro}`;
}

/** `7.2` or `7.2.0`; undefined for anything else. */
export function parseVersion(text: string): QemuVersion | undefined {
  const [, major, minor, micro = '0'] = /^(\d{1,3})\.(\d{1,3})(?:\.(\d{1,3}))?$/.exec(text) ?? [];
  return major === undefined ? undefined : { major: Number(major), minor: Number(minor), micro: Number(micro) };
}

/** Whether a version is that one, or came after it. */
export function isSince(version: QemuVersion, major: number, minor: number): boolean {
  return version.major > major || (version.major === major && version.minor >= minor);
}
