package nats

// What a publish is to blame for when a session breaks in the middle of it: the
// server may have hung up because of it. A server that says that a message violates
// its limits, or closes in order, weighs more than a link that breaks, which is most
// often nobody's fault. A session that the client gives up weighs nothing.
const (
	blameWord   = 4
	blameHangUp = 3
	blameBreak  = 1
	blamePoison = 6 // is poison
)

// blameLocked puts blame for the end of a session on the one publish that can be
// at fault, if there is one. What the same one gets in sessions one after the other
// adds up; true: it is poison. Call it before the outbox is rewound.
func (o *outbox) blameLocked(blame int) (suspect cursor, poison bool) {
	if o.keep != nil {
		if blame == blameHangUp {
			blame = blameBreak // servers go; that must not cost a message
		}
		o.beCarefulLocked(blame)
	}
	suspect, ok := o.suspectLocked()
	if !ok {
		o.blame = 0
		return suspect, false
	}
	if suspect.pos != o.suspect {
		o.suspect, o.blame = suspect.pos, 0
	}
	o.blame += blame
	return suspect, o.blame >= blamePoison
}

// suspectLocked is the publish that was taken in part or, where frames are kept, the
// only one that was sent and not confirmed.
func (o *outbox) suspectLocked() (suspect cursor, ok bool) {
	if o.last == nil {
		return suspect, false
	}
	suspect = o.sent
	suspect.settle()
	if k := o.keep; k != nil && k.msgs == 1 && o.part == 0 {
		suspect = k.from
		for suspect.settle(); !suspect.c.frame(suspect.i).isHeld(); {
			suspect.step()
		}
		return suspect, true
	}
	if o.part == 0 || o.keep != nil && o.keep.msgs > 0 {
		return suspect, false
	}
	f := suspect.c.frame(suspect.i)
	return suspect, f.isHeld() && !f.isSpent()
}

// beCarefulLocked makes the next session send one message at a time, if something
// in what is unconfirmed may be why sessions break: then it will be alone when the
// next one does.
func (o *outbox) beCarefulLocked(blame int) {
	k := o.keep
	if blame == 0 || o.sent.pos+uint64(o.part) == k.from.pos {
		return
	}
	if k.from.pos != k.stuck {
		k.stuck, k.stuckFor = k.from.pos, 0
	} else {
		k.stuckFor++
	}
	if k.stuckFor >= stuckMost || blame == blameWord {
		k.carefulTo = k.from.pos + carefulSpan
	}
}
