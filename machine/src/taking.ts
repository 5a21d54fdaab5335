import { TAKING, VCPU_WORD, vcpuWord, WORD, type Control } from './control.ts';

/**
 * Real time: who has yet to take what the last instant has raised. A late host makes up for one instant after the other, and the next one
 * waits for whoever would lose an interrupt by it.
 */

/** How a VCPU takes what it has not taken yet; `TAKING.NOT` when it has taken all. Lock held. */
export function owedBy({ words }: Control, vcpu: number): number {
  const record = vcpuWord(vcpu);
  const how = Atomics.load(words, record + VCPU_WORD.TAKING);
  if (how === TAKING.HANDLES || how === TAKING.NOT) return how;
  return (((words[WORD.FIRED] ?? 0) - takenBy({ words }, vcpu)) | 0) > 0 ? how : TAKING.NOT;
}

/** What `IRQ_SEQUENCE` was when a VCPU had taken all. */
export function takenBy({ words }: Pick<Control, 'words'>, vcpu: number): number {
  return Atomics.load(words, vcpuWord(vcpu) + VCPU_WORD.TAKEN);
}

/** Whether the next instant waits for a VCPU, whoever comes to fire it, or `by` this VCPU. Lock held. */
export function isHeld(control: Control, by = -1): boolean {
  for (let vcpu = (control.words[WORD.VCPUS] ?? 0) - 1; vcpu >= 0; vcpu--) {
    const how = owedBy(control, vcpu);
    if (how >= TAKING.WAITS || (how === TAKING.RETURNS && vcpu !== by)) return true;
  }
  return false;
}

/** Time goes on without a VCPU until it takes something again. */
export function giveUpOn({ words }: Control, vcpu: number, how: number): void {
  Atomics.compareExchange(words, vcpuWord(vcpu) + VCPU_WORD.TAKING, how, TAKING.NOT);
}
