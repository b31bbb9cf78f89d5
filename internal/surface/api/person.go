package api

// personRoutes are what a person does about its own account, and sessions.
var personRoutes []Route
