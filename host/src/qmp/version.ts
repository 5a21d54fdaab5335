/** The version of QEMU whose protocols, options and messages these are. */
export const QEMU_VERSION_TEXT = '7.2.0';
export const PROGRAM_VERSION = '0.1.0';
export const QEMU_VERSION = {
  qemu: { major: 7, minor: 2, micro: 0 },
  package: `qtest device models ${PROGRAM_VERSION}`,
} as const;
