package api

// alertRoutes are alerts and notifications.
var alertRoutes []Route
