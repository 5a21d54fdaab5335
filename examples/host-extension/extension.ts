import { definePlugin } from '@qtest/sdk';

import { postCard } from './post-card.ts';

export default definePlugin({
  name: 'lab',
  description: 'a POST card in every machine, a gate for VCPUs, a count of ticks',
  devices: [postCard],
  apply({ hooks }) {
    const ticks = { virtual: 0, realtime: 0 };

    hooks.machineInit.tap('post card', (machine) => {
      machine.add(postCard);
    });

    hooks.vcpuStart.tap('gate', (event) => {
      if (event.clock === 'realtime' && event.index > 0) event.refuse('this lab has one core for real time');
    });

    hooks.tick.tap('count', ({ clock, instants }) => {
      ticks[clock] += instants;
    });

    hooks.done.tap('print', () => {
      console.log(`ticks: ${ticks.virtual} virtual, ${ticks.realtime} in real time`);
    });
  },
});
