"""Pure rules of the spoken menus: what a flow is, when it is sound, what happens next."""
