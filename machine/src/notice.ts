/**
 * Raised by device code on this thread when something has happened that its VCPU must look at before it goes on: a line has
 * risen, or a timer is past due. One flag, for it is looked at after every access.
 */
export class Notice {
  raised = false;
}
