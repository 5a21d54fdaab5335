/**
 * Everything that authors of plugins and of devices import.
 * @module @qtest/sdk
 */
export * from './cases.ts';
export * from './config.ts';
export {
  defineDevice,
  deviceSchema,
  type AccessSize,
  type AddressRange,
  type AnyDeviceDefinition,
  type BusSpec,
  type CharBackend,
  type ConfigSpace,
  type ContractSpec,
  type Device,
  type DeviceBehaviour,
  type DeviceDefinition,
  type DeviceOf,
  type DeviceSchema,
  type Dma,
  type Initiator,
  type InputHandler,
  type InputSpec,
  type Output,
  type OutputSpec,
  type RegionBehaviour,
  type RegionSpec,
  type ResetKind,
  type Shadow,
  type ShadowSpec,
  type Space,
  type Timer,
  type TimerHandler,
} from './device.ts';
export * from './duration.ts';
export * from './errors.ts';
export type * from './hardware.ts';
export type * from './hooks.ts';
export type * from './machine.ts';
export {
  CAPABILITY,
  COMMAND,
  CONFIG_BYTES,
  HEADER,
  readConfig,
  STATUS,
  type PciDevice,
  type PciPlacementSchema,
  type PciStateSchema,
} from './pci-config.ts';
export * from './pci-bridge.ts';
export { busMaster } from './pci-dma.ts';
export {
  MSI,
  MSIX,
  MSIX_ENTRY,
  MSIX_ENTRY_BYTES,
  msiEnabled,
  msixEnabled,
  nothingElse,
  sendMsi,
  sendMsix,
  withdrawMsix,
  type MsiSpec,
  type MsixSpec,
} from './pci-message.ts';
export {
  definePciFunction,
  setIntx,
  type BarSpec,
  type CapabilitySpec,
  type FunctionSpec,
  type VendorSpec,
} from './pci.ts';
export * from './options.ts';
export {
  definePlugin,
  type Assert,
  type Capability,
  type CaseContext,
  type CaseFunction,
  type CaseSpec,
  type DefinedPlugin,
  type Plugin,
  type Run,
} from './plugin.ts';
export {
  property,
  type BooleanProperty,
  type DurationProperty,
  type EnumProperty,
  type NumberProperty,
  type PropertiesIn,
  type PropertiesOf,
  type Property,
  type PropertySchema,
  type PropertyValue,
  type StringProperty,
} from './properties.ts';
export * from './registers.ts';
export type * from './report.ts';
export type * from './trace.ts';
export * from './spin-lock.ts';
export type * from './standard-schema.ts';
export {
  array,
  bytes,
  type ArrayType,
  type ScalarType,
  type StateArray,
  type StateBytes,
  type StateOf,
  type StateSchema,
} from './state.ts';
